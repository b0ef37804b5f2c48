from .files import load_recipe as load_recipe
from .recipe import Limits as Limits
from .recipe import Recipe as Recipe
from .recipe import Step as Step
