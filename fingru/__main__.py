"""``python -m fingru`` is the ``fingru`` command."""

from fingru.cli import main

if __name__ == "__main__":
    main()
