"""The playground: a page, made-up people, and a host of twins. Imported only by `flask demo` and the tests."""
