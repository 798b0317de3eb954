"""unimixer"""
