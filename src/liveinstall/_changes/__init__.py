"""One change, from the request to the result: the only room that uses all five stages."""
