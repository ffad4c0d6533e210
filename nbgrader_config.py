c = get_config()  # noqa: F821
load_subconfig("autograde/nbgrader_config.py")  # noqa: F821
