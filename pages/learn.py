"""Learn: a guided tour of the method on finished runs, a step at a time. Reads only the store."""

from app.learn import view as tour

tour.view()
