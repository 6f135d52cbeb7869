"""Enlarged videos: sound, subtitles, timestamps and colours as they were. `job` does it; `options` says how."""

SUFFIXES = (
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".m2ts", ".mts", ".mpg", ".mpeg", ".vob", ".wmv", ".flv",
    ".ogv", ".3gp", ".mxf", ".dv", ".y4m", ".nut", ".asf", ".m2v", ".m1v", ".mpv", ".mpe", ".m2p", ".h264", ".264",
    ".avc", ".h265", ".265", ".hevc", ".ivf", ".obu", ".f4v", ".3g2", ".ogm", ".divx", ".qt", ".gxf", ".mjpeg",
    ".mjpg", ".wtv", ".dvr-ms", ".h261", ".h263", ".ismv", ".amv", ".vc1", ".rm", ".rmvb", ".mod", ".tod", ".trp",
)  # fmt: skip
"""Names of files that are taken for videos."""
