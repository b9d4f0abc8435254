"""A simulated control plane: `cluster` holds the objects, `api` speaks HTTP, the controllers do what happens by itself.

Law: answers are those of kube-apiserver 1.36; what it does that nobody here asks for is refused with 501.
"""
