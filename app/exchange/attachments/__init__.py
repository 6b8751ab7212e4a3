"""Files that go with a record: taken in streaming, encrypted, and disclosed as the section they belong to."""
