"""Results in files: report, exports, bundles."""
