"""Text layer: from a message as a channel delivers it to the author's own new words."""
