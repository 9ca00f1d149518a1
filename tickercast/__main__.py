"""`python -m tickercast` is `tickercast`."""

from tickercast.jobs.cli import main

if __name__ == "__main__":
    main()
