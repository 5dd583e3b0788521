"""What fingru does against itself: the search for look-ahead, and the permutation test."""
