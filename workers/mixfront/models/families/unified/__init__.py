"""unified"""
