"""Proves what uploaded files are and makes of them what plans order.

Must not plan, nor talk to engines, nor trust a file name.
"""
