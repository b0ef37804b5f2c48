from .config import ExportAndroid as ExportAndroid
from .export import export_android as export_android
