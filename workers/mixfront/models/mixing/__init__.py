"""Token mixing: fixed permutations, and learned local and global patterns."""
