"""Reviews: what was disclosed on another basis than consent is looked at afterwards, by one agency."""
