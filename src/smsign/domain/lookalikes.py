"""Characters that look like one that a signature may have: what the writer meant.

NFKC covers full-width letters and Kangxi radicals; the table has what it does not: the CJK radicals that PDF
files yield (Unicode, EquivalentUnifiedIdeograph), and Greek and Cyrillic letters (Unicode, confusables).
"""

from __future__ import annotations

import unicodedata

_PAIRS = (
    "⺀冫⺁厂⺃乚⺄乙⺅亻⺆冂⺇几⺈刀⺉刂⺊卜⺋卩⺌小⺍小⺎兀⺏尣⺐尢⺑尣⺒巳⺓幺⺔彑⺕彐⺖忄⺗心⺘扌⺙攵⺛旡⺜日⺝月"
    "⺞歺⺟母⺠民⺡氵⺢氺⺣灬⺤爫⺥爫⺦丬⺧牛⺨犭⺩王⺪疋⺫目⺬示⺭礻⺮竹⺯糹⺰纟⺱罒⺲罒⺳罓⺴罓⺵网⺶羊⺷羊⺸羊⺹耂"
    "⺺肀⺻聿⺼月⺽臼⺾艹⺿艹⻀艹⻁虎⻂衤⻃覀⻄西⻅见⻆角⻇角⻈讠⻉贝⻊足⻋车⻌辶⻍辶⻎辶⻏阝⻐钅⻑長⻒镸⻓长⻔门⻕阜"
    "⻖阝⻗雨⻘青⻙韦⻚页⻛风⻜飞⻝食⻞食⻟飠⻠饣⻡首⻢马⻣骨⻤鬼⻥鱼⻦鸟⻧卤⻨麦⻩黄⻪黾⻫斉⻬齐⻭歯⻮齿⻯竜⻰龙⻱龜⻲亀⻳龟"
    "㇀一㇐一○〇◯〇⚪〇"
    "АAВBСCЕEНHІIЈJКKМMОOРPЅSТTХXУYЗ3аaсcеeіiјjоoрpѕsхxуy"
    "ΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧXοo"
)
_TABLE = dict(zip(_PAIRS[::2], _PAIRS[1::2], strict=True))


def meant(char: str) -> str:
    """Return the character that `char` looks like, or `char` itself."""
    return _TABLE.get(char) or unicodedata.normalize("NFKC", char)
