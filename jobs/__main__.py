"""`python -m jobs` is `tickercast`."""

from jobs.cli import main

if __name__ == "__main__":
    main()
