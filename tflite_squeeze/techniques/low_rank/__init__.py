"""Low-rank factorization (`factorize`)."""
