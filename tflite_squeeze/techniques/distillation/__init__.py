"""Knowledge distillation (`distill`)."""
