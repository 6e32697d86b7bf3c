"""Lists neutral words for generated slugs: nature, weather, materials and tools."""

from __future__ import annotations

from typing import Final

_ADJECTIVES = """
agile airy alert alpine amber ample ancient aqua arctic autumn azure balanced basic bold brave
breezy brief bright brisk bronze calm candid careful central chief chilly civic classic clean
clear clever close cloudy coastal cobalt cool copper coral cosmic cosy crisp crystal curious
daily daring deep deft desert dewy direct distant dry eager early earthy eastern easy even exact
fair fast fine firm first fleet floral fluent flying fond formal fresh frosty full gentle glad
glassy golden good grand graphic green handy happy hardy hazel hidden high hollow honest humble
icy idle indigo inland inner ivory jade jolly keen kind known large lasting late lead level
light lilac linear little lively local lofty lone long loyal lucid lucky lunar magnetic main
major maple marine mellow merry mighty mild minor minty misty mobile modern modest mossy natural
near neat nimble noble northern novel oaken ocean olive open optic orange outer pale patient
pearly plain polar polite prime proud pure quick quiet radiant rainy rapid rare ready regal rich
robust rocky rosy round royal rustic sandy scenic serene sharp shiny silent silver simple sleek
smart smooth snowy soft solar solid sonic southern spare spruce stable starry steady steep still
stony strong sturdy subtle sunny super swift tall tidal tidy timely tiny topaz tranquil trim
true upbeat upper urban vast velvet verdant vivid warm western whole wide winged winter wise
wooden young zesty
"""
_NOUNS = """
acorn alder almond anchor apple arbor arch ash aspen aster atlas atoll badger bamboo barley
basalt basin bay beach beacon beech birch bison bluff boulder branch breeze bridge brook buffalo
cabin cactus canal candle canoe canopy canyon cape cedar chalk cherry cinder citrus cliff cloud
clover coast comet compass copse cove crane crater creek crest cricket crystal cypress daisy
dale dawn delta dolphin dove dune eagle echo elm ember estuary falcon feather fern field finch
fjord flame flint forest fossil fountain fox galaxy garden garnet geyser ginger glacier glade
glen granite grove gull harbor hare harvest hawk hazel heath heather hedge heron hill hollow
horizon iris island ivy jasmine juniper kelp kestrel kettle lagoon lake lantern lark laurel lava
lavender leaf lemon lichen lily linden lotus lynx magnolia mango maple marble marsh meadow mesa
meteor mill mimosa mint mist moon moor moss mountain nebula nectar nest oak oasis ocean onyx
orbit orchard orchid osprey otter owl palm panda path peak pear pearl pebble peony pepper pine
planet plateau plum pollen pond poplar poppy prairie quarry quartz quill rain rapids raven reed
reef ridge river robin rook rose saffron sage salmon sand sequoia shell shore sierra slate
sorrel sparrow spring spruce star stone storm stork stream summit sun surf swallow swan sycamore
thicket thistle thyme tide timber topaz trail tulip tundra valley vine violet walnut water wave
wheat willow wind wren yarrow yew zenith zephyr
"""

ADJECTIVES: Final = tuple(_ADJECTIVES.split())
NOUNS: Final = tuple(_NOUNS.split())
