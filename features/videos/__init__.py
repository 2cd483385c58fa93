"""Videos: uploaded files become streams that players can play (HLS), with a poster, a storyboard and captions."""
