"""Binary and ternary weights and inputs (`binarize`)."""
