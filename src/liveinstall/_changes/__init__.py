"""One change, from the request to the result: the only package that uses all five stages."""
