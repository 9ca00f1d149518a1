"""Tickercast in Python. This is the public package; the four packages in it (jobs, rnn, storage, migrations) are private.

The four are folders at the top of the repository. They are links here, and folders of this package once it is installed: so no
folder of a user's that is called `storage` or `jobs` can take their place.
"""
