"""What is wrong with a file that somebody uploads.

Owns the sentences that a refused file is told in. Must not decide anything.
"""

from __future__ import annotations

from contracts.errors.entries import Entries, entry
from contracts.errors.entries import ErrorCode as Code

UPLOADS: Entries = {
    Code.FILE_MISSING: entry(
        "missing_asset",
        422,
        "No file was sent.",
        "Send the file as the multipart field 'file'.",
    ),
    Code.FILE_EMPTY: entry(
        "invalid_asset_format", 422, "The file is empty.", "Choose a file with content."
    ),
    Code.FILE_TOO_LARGE: entry(
        "invalid_asset_format", 413, "The file is too large.", "Choose a smaller file."
    ),
    Code.FILE_TYPE_UNSUPPORTED: entry(
        "invalid_asset_format",
        415,
        "Files of this type cannot be used here.",
        "Use PNG, JPEG or WebP images, MP4, MOV or WebM videos, WAV, MP3, M4A, FLAC or OGG audio.",
    ),
    Code.FILE_CONTENT_MISMATCH: entry(
        "invalid_asset_format",
        415,
        "The file is not what its name says.",
        "Save it again in the format that its name says.",
    ),
    Code.FILE_UNDECODABLE: entry(
        "invalid_asset_format",
        422,
        "The file is damaged or incomplete.",
        "Export it again and upload the new file.",
    ),
    Code.FILE_TOO_MANY_PIXELS: entry(
        "invalid_asset_format",
        422,
        "The picture has too many pixels.",
        "Make it smaller, at most 40 megapixels for images and 4096 pixels a side for videos.",
    ),
    Code.FILE_TOO_LONG: entry(
        "invalid_asset_format", 422, "The file plays for too long.", "Cut it to a shorter piece."
    ),
    Code.FILE_FORBIDDEN: entry(
        "invalid_asset_format",
        415,
        "The file refers to other files or addresses and is refused.",
        "Upload the video or audio itself, not a playlist.",
    ),
    Code.UPLOAD_INCOMPLETE: entry(
        "invalid_asset_format", 400, "The upload broke off.", "Upload the file again.", True
    ),
}
