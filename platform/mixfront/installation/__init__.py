"""The installed mixfront: its versions, its extras, and a wheel of it."""
