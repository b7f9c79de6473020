//! Pure rendering: from a `Mesh` to every object that it installs, and from a pod to its injected self.
