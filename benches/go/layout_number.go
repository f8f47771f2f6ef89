package main

// The bench writes this file anew for each build.
const layout = 0
