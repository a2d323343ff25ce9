"""Parts of the interop harness: processes, tones, our program, and other people's programs."""
