# A directory of keys that apt trusts; none.
export DIB_ADD_APT_KEYS=${DIB_ADD_APT_KEYS:-}
