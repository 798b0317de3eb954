"""dhen"""
