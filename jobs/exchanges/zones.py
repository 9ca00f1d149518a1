"""The exchange that a time zone stands for, where a symbol names none."""

from __future__ import annotations

NEW_YORK = "XNYS"
# Where a symbol does not name its exchange: the calendar, by the time zone that its prices are quoted in.
TIME_ZONE_EXCHANGES = {
    "America/New_York": "XNYS", "America/Chicago": "XNYS", "America/Toronto": "XTSE", "America/Sao_Paulo": "BVMF",
    "America/Mexico_City": "XMEX", "Europe/London": "XLON", "Europe/Berlin": "XETR", "Europe/Paris": "XPAR",
    "Europe/Amsterdam": "XAMS", "Europe/Brussels": "XBRU", "Europe/Zurich": "XSWX", "Europe/Rome": "XMIL",
    "Europe/Madrid": "XMAD", "Europe/Stockholm": "XSTO", "Europe/Oslo": "XOSL", "Europe/Copenhagen": "XCSE",
    "Europe/Helsinki": "XHEL", "Europe/Vienna": "XWBO", "Europe/Warsaw": "XWAR", "Asia/Tokyo": "XTKS",
    "Asia/Hong_Kong": "XHKG", "Asia/Kolkata": "XBOM", "Asia/Calcutta": "XBOM", "Asia/Shanghai": "XSHG",
    "Asia/Seoul": "XKRX", "Asia/Taipei": "XTAI", "Asia/Singapore": "XSES", "Asia/Jakarta": "XIDX",
    "Australia/Sydney": "XASX", "Pacific/Auckland": "XNZE", "UTC": "24/7",
}  # fmt: skip


def exchange_of_zone(zone: str) -> str:
    """Return the code of the calendar to use for a time zone; New York's for an unknown one."""
    return TIME_ZONE_EXCHANGES.get(zone, NEW_YORK)
