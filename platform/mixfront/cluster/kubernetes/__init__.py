"""Kubernetes manifests for KubeRay 1.7, made from a search spec."""
