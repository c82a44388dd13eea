"""What is said to subscribers: kinds of messages, their encoding and decoding, subscriptions, what is kept."""
