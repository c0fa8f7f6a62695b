"""Laws that every sizing keeps, checked against arithmetic by hand: what doubles, what adds up, what is promised.

No test here knows a fitted constant: each compares sizings of which only one thing differs, or adds up published widths.
"""
