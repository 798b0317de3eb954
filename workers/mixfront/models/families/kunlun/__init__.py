"""kunlun"""
