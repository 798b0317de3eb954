"""Token mixing: RankMixer's permutation, and UniMixer's learned local and global patterns."""
