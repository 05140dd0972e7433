"""A stand-in ComfyUI 0.3.64 server.

Owns the wire behaviour of ComfyUI (prompts, queue, history, files, websocket) and makes
real, visibly marked media with FFmpeg. It must not import anything of the product and
must never pass for the real thing: ``GET /simulator`` and ``system.argv`` say what it is.
"""
