"""A stand-in AUTOMATIC1111 WebUI 1.8 server with the AnimateDiff and Deforum extensions.

Owns the wire behaviour of the three, the ways in which they report success for a failed job
included, and makes real, visibly marked pictures. It must not import anything of the product
and must never pass for the real thing: ``GET /simulator`` says what it is.
"""
