"""Room 3, frame → message → event, wish → payload: what each exchange says and how it wants to be asked (pure)."""
