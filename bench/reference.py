"""The same contract in a common stack: FastAPI, Pydantic, SQLAlchemy async, aiosqlite."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, Form, HTTPException, UploadFile
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from pydantic import BaseModel
from sqlalchemy import ForeignKey, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

FOLDER = Path(os.environ.get("REFERENCE_DATA", "build/reference"))
engine = create_async_engine(f"sqlite+aiosqlite:///{FOLDER / 'reference.db'}")
make_session = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()
basic = HTTPBasic()


class Base(DeclarativeBase):
    """The base class of the tables."""


class Application(Base):
    """An application and the hash of its secret."""

    __tablename__ = "app"
    id: Mapped[int] = mapped_column(primary_key=True)
    app_key: Mapped[str] = mapped_column(unique=True)
    secret_hash: Mapped[str]
    in_use_id: Mapped[int | None]


class Signature(Base):
    """A signature."""

    __tablename__ = "signature"
    id: Mapped[int] = mapped_column(primary_key=True)
    app_id: Mapped[int] = mapped_column(ForeignKey("app.id"), index=True)
    content: Mapped[str]
    status: Mapped[int] = mapped_column(default=0)
    image: Mapped[str | None]


class Created(BaseModel):
    """The response of create."""

    sign_id: int


class Answer(BaseModel):
    """The response of query."""

    sign_id: int
    sign: str
    status: int
    use_status: int


async def get_session() -> AsyncIterator[AsyncSession]:
    """Yield the database session of a request."""
    async with make_session() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session)]


async def get_app(session: Session, given: Annotated[HTTPBasicCredentials, Depends(basic)]) -> Application:
    """Return the authenticated application."""
    found = await session.scalar(select(Application).where(Application.app_key == given.username))
    digest = hashlib.sha256(given.password.encode()).hexdigest()
    if found is None or not secrets.compare_digest(digest, found.secret_hash):
        raise HTTPException(401)
    return found


Caller = Annotated[Application, Depends(get_app)]


@app.get("/v1/sign/{sign_id}")
async def query(sign_id: int, session: Session, caller: Caller) -> Answer:
    """Return a signature of the application."""
    found = await session.scalar(
        select(Signature).where(Signature.id == sign_id, Signature.app_id == caller.id)
    )
    if found is None:
        raise HTTPException(403)
    return Answer(
        sign_id=found.id,
        sign=found.content,
        status=found.status,
        use_status=int(caller.in_use_id == found.id),
    )


@app.post("/v1/sign")
async def create(
    session: Session, caller: Caller, sign: Annotated[str, Form()], image0: UploadFile | None = None
) -> Created:
    """Insert a signature and store its image on disk."""
    image = None
    if image0 is not None:
        data = await image0.read()
        image = hashlib.sha256(data).hexdigest()
        (FOLDER / image).write_bytes(data)
    added = Signature(app_id=caller.id, content=sign, status=0, image=image)
    session.add(added)
    await session.commit()
    return Created(sign_id=added.id)
