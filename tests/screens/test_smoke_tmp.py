from tests.screens.driving import open_app
from tests.houses import detected_issue
async def test_it(house):
    house.spleen.new("printer on fire", owner="me")
    detected_issue(house, 3)
    async with open_app() as on:
        await on.sees("printer on fire")
        await on.sees("serror_rate 1.0")
        print(on.text)
        await on.press("question_mark")
        await on.menu()
        print(on.text)
        from immunos_tui.widgets.lines import LinesView
        print(on.app.screen.query_one(LinesView).text)
