"""What people look at after a run: a table in the terminal, and a page with pictures."""

from distiller.report.analysis import analysis_table, write_analysis
from distiller.report.augmentation import augmentation_table, write_augmentation
from distiller.report.goal import goal_table, write_goal
from distiller.report.inventory import store_table, write_inventory
from distiller.report.page import write
from distiller.report.recommendation import advice_table, knowledge_table, left_out_table
from distiller.report.rows import Entry
from distiller.report.search import search_sentences, search_table, write_search
from distiller.report.terminal import comparison

__all__ = [
    "Entry",
    "advice_table",
    "analysis_table",
    "augmentation_table",
    "comparison",
    "goal_table",
    "knowledge_table",
    "left_out_table",
    "search_sentences",
    "search_table",
    "store_table",
    "write",
    "write_analysis",
    "write_augmentation",
    "write_goal",
    "write_inventory",
    "write_search",
]
