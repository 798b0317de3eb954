"""The mixfront that is installed here: a wheel of it, and the versions that it runs on."""
