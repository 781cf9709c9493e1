"""Run the command line without installing it: `python3 -m leakaudit`."""

from leakaudit.cli import main

if __name__ == "__main__":
    main()
