"""Ways out and in: report, exports, bundles."""
