"""What clients of all foreign engines share: addresses, credentials, HTTP, backoff, errors.

Owns nothing of any protocol; `engines.comfyui` and `engines.webui` stand on it.
"""
