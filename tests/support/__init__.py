"""What tests share: generated sounds, fake models, real processes, brokers, browsers and sound servers."""
