"""Enlarged videos: sound, subtitles, timestamps and colours as they were. `job` does it; `options` says how."""

SUFFIXES = (
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".m2ts", ".mts", ".mpg", ".mpeg", ".vob", ".wmv", ".flv",
    ".ogv", ".3gp", ".mxf", ".dv", ".y4m",
)  # fmt: skip
"""Names of files that are taken for videos."""
